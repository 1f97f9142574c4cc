"""The targets that come with the suite, one file each."""
