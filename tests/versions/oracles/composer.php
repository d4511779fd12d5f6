<?php
// composer/semver: what Composer itself compares.
require '/usr/share/php/Composer/Semver/autoload.php';
use Composer\Semver\Comparator;
use Composer\Semver\VersionParser;
$parser = new VersionParser();
while (($line = fgets(STDIN)) !== false) {
    [$a, $b] = explode("\t", rtrim($line, "\n"), 2);
    try {
        // Comparator takes what was normalised, as Composer hands it over.
        [$a, $b] = [$parser->normalize($a), $parser->normalize($b)];
    } catch (UnexpectedValueException $e) {
        echo "?\n";
        continue;
    }
    $signs = ['<' => Comparator::lessThan($a, $b), '=' => Comparator::equalTo($a, $b), '>' => Comparator::greaterThan($a, $b)];
    $true = array_keys(array_filter($signs));
    echo count($true) === 1 ? $true[0] : '?', "\n";
}
