# Dpkg::Version, of dpkg itself.
use strict;
use warnings;
use Dpkg::Version;

while (my $line = <STDIN>) {
    chomp $line;
    my ($a, $b) = map { Dpkg::Version->new($_, check => 1) } split /\t/, $line, 2;
    # The program refuses an epoch that is no number and empty parts; the module takes them.
    my $odd = grep { (/:/ && !/^[0-9]+:/) || /^-|:-|:$|-$/ || $_ eq '' } split /\t/, $line, 2;
    unless (!$odd && defined $a && defined $b) {
        print "?\n";
        next;
    }
    my $order = $a <=> $b;
    print $order < 0 ? "<\n" : $order > 0 ? ">\n" : "=\n";
}
