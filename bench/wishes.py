"""The former name of `bench.intents`, for programs that still use it."""

from bench.intents import main

if __name__ == "__main__":
    main()
