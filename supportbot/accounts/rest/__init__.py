"""The parts that all REST views share: authentication, permissions, rate limits, CORS, base class."""
