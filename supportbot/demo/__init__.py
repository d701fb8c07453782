"""The demo workspace of the fictional shop Wrenfell Outdoor. Leave the app out and the product works without it."""
