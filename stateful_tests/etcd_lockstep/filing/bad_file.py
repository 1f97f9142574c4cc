"""What is raised of a file that can't be read, whatever it should hold."""


class BadFile(ValueError):
    """A file that can't be read: which, where and why, in one line."""
