"""The commands of `usher`, one file each; each has a click command called ``command``."""
