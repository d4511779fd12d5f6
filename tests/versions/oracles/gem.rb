# Gem::Version
STDIN.read.split("\n").each do |line|
  a, b = line.split("\t", 2)
  unless Gem::Version.correct?(a) && Gem::Version.correct?(b)
    puts "?"
    next
  end
  order = Gem::Version.new(a) <=> Gem::Version.new(b)
  puts({-1 => "<", 0 => "=", 1 => ">"}[order])
end
