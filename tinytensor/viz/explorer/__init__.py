"""The explorer: a recorded run as one page of HTML, to be stepped through in a browser."""
