# Puts new files in place of what is at paths, until a file appears that says enough.
#
#   perl replacing.pl ENOUGH DIRECTORY PATH…
#
# Each file says which edit it is. What it takes the place of is taken out in the same instant, so that whoever reads this
# knows of each edit whether another one replaced it: those are the numbers that are printed. DIRECTORY is for files that are on
# their way, on the same filesystem as the paths.
use strict;
use warnings;
use POSIX qw(uname);
use Time::HiRes qw(usleep);

my ($enough, $directory, @paths) = @ARGV;
my $renameat2 = (uname())[4] eq 'aarch64' ? 276 : 316;
my ($number, $made) = (0, "$directory/made");
my (@placed, @replaced);

until (-e $enough) {
  for my $path (@paths) {
    $number++;
    unlink $made;
    open my $file, ">", $made or die $!;
    printf $file "edit %09d\n", $number;
    close $file;
    # Exchange; where nothing is, take the place without replacing anything.
    if (syscall($renameat2, -100, $made, -100, $path, 2) == 0) {
      push @placed, $number;
      if (!-l $made && -f $made && open my $other, '<', $made) {
        my $line = <$other> // '';
        push @replaced, int $1 if $line =~ /^edit (\d+)$/;
      } elsif (!-l $made && -d $made) {
        system 'rm', '-rf', $made;
      }
    } elsif (syscall($renameat2, -100, $made, -100, $path, 1) == 0) {
      push @placed, $number;
    }
    usleep(int rand 30_000);
  }
}
print join(' ', @placed), "\n", join(' ', @replaced), "\n";
