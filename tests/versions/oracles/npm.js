// node-semver, strict.
const semver = require(process.argv[2]);
const lines = require("fs").readFileSync(0, "utf8").split("\n").slice(0, -1);
const out = lines.map((line) => {
  const [a, b] = line.split("\t");
  if (!semver.valid(a) || !semver.valid(b)) return "?";
  const order = semver.compare(a, b);
  return order < 0 ? "<" : order > 0 ? ">" : "=";
});
process.stdout.write(out.join("\n") + "\n");
