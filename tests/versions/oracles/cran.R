# R's own order of package versions.
lines <- readLines(file("stdin"))
pairs <- strsplit(lines, "\t", fixed = TRUE)
well <- "^[0-9]+([.-][0-9]+)*$"
for (pair in pairs) {
  parts <- suppressWarnings(as.integer(unlist(strsplit(pair, "[.-]"))))
  if (!all(grepl(well, pair)) || anyNA(parts)) { cat("?\n"); next }
  order <- compareVersion(pair[1], pair[2])
  cat(if (order < 0) "<\n" else if (order > 0) ">\n" else "=\n")
}
