"""The demo workspace of the fictional shop Wrenfell Outdoor. The product works without this app."""
