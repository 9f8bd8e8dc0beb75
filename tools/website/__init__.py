"""What the site shows beside the documents: the reference, all ops, lessons' pages, sources."""
