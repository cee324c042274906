package mediaserver

// Rewrite is rewrite, for its fuzz target.
var Rewrite = rewrite
