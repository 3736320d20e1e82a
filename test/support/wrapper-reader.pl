#!/usr/bin/perl
# Looks at wrappers and runs them as fast as it can, until a file appears that says enough; prints a JSON document.
#
#   wrapper-reader.pl ENOUGH SETUID HELD
#
# SETUID is a copy of id(1) with mode 4755, HELD a file with capabilities. Run as somebody who is not root.
use strict;
use warnings;

my ($enough, $setuid, $held) = @ARGV;
my $getxattr = `uname -m` =~ /aarch64/ ? 8 : 191;
my ($looks, $runs, @failures) = (0, 0);

sub look {
  my ($path, $mode) = @_;
  my @status = stat $path or return push @failures, "$path: $!";
  my $found = sprintf '%04o %d:%d', $status[2] & 07777, $status[4], $status[5];
  push @failures, "$path: $found" if $found ne "$mode 0:0";
}

until (-e $enough || @failures >= 20) {
  for (1 .. 50) {
    $looks += 1;
    look($setuid, '4755');
    look($held, '0755');
    my ($name, $value) = ('security.capability', "\0" x 64);
    my $length = syscall($getxattr, $held, $name, $value, 64);
    push @failures, "$held: no capabilities: $!" if $length != 20;
  }
  $runs += 1;
  my $said = qx{'$setuid' 2>&1};
  push @failures, "$setuid said: $said ($?)" unless $said =~ /euid=0\(root\)/;
}
my $list = join ', ', map { s/["\\\n]/ /gr =~ s/.*/"$&"/r } @failures;
print qq({"looks": $looks, "runs": $runs, "failures": [$list]}\n);
