-- rpm's own comparison of epoch:version-release.
for line in io.lines(PAIRS) do
  local a, b = line:match("^(.-)\t(.*)$")
  local good, order = pcall(rpm.vercmp, a, b)
  -- Within a macro, print ends no line.
  print((not good and "?" or order < 0 and "<" or order > 0 and ">" or "=") .. "\n")
end
