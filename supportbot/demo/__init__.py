"""The demo workspace of the fictional shop Wrenfell Outdoor. Without this app, the product works as before."""
