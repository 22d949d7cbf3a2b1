import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Perl has the calls of sockets by their own names, starts in no time, and is on every Debian. */
const prelude = String.raw`
use Socket qw(:all);
$| = 1; $SIG{PIPE} = 'IGNORE'; $ENV{LC_ALL} = 'C';
sub in4 { pack_sockaddr_in($_[0], inet_aton($_[1] // '127.0.0.1')) }
sub in6 { pack_sockaddr_in6($_[0], inet_pton(AF_INET6, $_[1] // '::1')) }
sub show4 { my ($port, $host) = unpack_sockaddr_in($_[0]); inet_ntoa($host) . ":$port" }
sub udp4 { socket(my $s, PF_INET, SOCK_DGRAM, 0) or die "socket: $!"; $s }
sub udp6 { socket(my $s, PF_INET6, SOCK_DGRAM, 0) or die "socket: $!"; $s }
sub tcp4 { socket(my $s, PF_INET, SOCK_STREAM, 0) or die "socket: $!"; $s }
sub tcp6 { socket(my $s, PF_INET6, SOCK_STREAM, 0) or die "socket: $!"; $s }
sub bound { my ($s, $at) = @_; bind($s, $at) or die "bind: $!"; $s }
sub joined { my ($s, $to) = @_; connect($s, $to) or die "connect: $!"; $s }
sub heard { my ($s) = @_; listen($s, 8) or die "listen: $!"; $s }
sub content { open(my $f, '<', $_[0]) or die "open: $!"; my $line = <$f>; die "read: $!" unless defined $line; chomp $line; $line }
sub fill { open(my $f, '>', $_[0]) or die "open: $!"; print $f $_[1]; close $f or die "write: $!"; 'ok' }
sub soon { my $in = ''; vec($in, fileno($_[0]), 1) = 1; select($in, undef, undef, $_[1] // 0.3) }
if (my $cgroup = shift @ARGV) { fill("$cgroup/cgroup.procs", $$) }
while (my $line = <STDIN>) {
  my @answer = eval $line;
  my $text = $@ ? "died $@" : join(' ', map { $_ // '' } @answer);
  $text =~ s/ at \(eval .*//s; $text =~ s/ at -e line .*//s; $text =~ s/\n/ /g;
  print "$text\n";
}
`;

/** A process that does what it is told, one thing after the other: to see what a program does to a cgroup's processes. */
export class Agent {
  readonly #child: ChildProcess;
  readonly #commands: number;
  readonly #answers: number;
  readonly #buffer = Buffer.alloc(4096);

  /** In `cgroup`, when a path is given; else where this process is. */
  constructor(cgroup?: string, wrapper: readonly string[] = []) {
    const folder = mkdtempSync(join(tmpdir(), 'bpfskel-agent-'));
    const [input, output] = [join(folder, 'in'), join(folder, 'out')];
    execFileSync('mkfifo', [input, output]);
    // Opened for both, so that opening waits for nobody.
    const ends = [openSync(input, 'r+'), openSync(output, 'r+')] as const;
    const args = ['-e', prelude, ...(cgroup === undefined ? [] : [cgroup])];
    const [program = 'perl', ...rest] = [...wrapper, 'perl', ...args];
    this.#child = spawn(program, rest, { stdio: [...ends, 'inherit'] });
    this.#commands = openSync(input, 'r+');
    this.#answers = openSync(output, 'r');
    // What is left open is the child's: when it ends, so does the stream of answers.
    for (const fd of ends) closeSync(fd);
    rmSync(folder, { recursive: true });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Runs a line of Perl. Gives its values joined by spaces, or `died REASON`. */
  tell(perl: string): string {
    writeSync(this.#commands, `${perl.replace(/\s*\n\s*/g, ' ')}\n`);
    let text = '';
    while (!text.endsWith('\n')) {
      const count = readSync(this.#answers, this.#buffer);
      if (count === 0) throw new Error(`the agent ended at: ${perl}`);
      text += this.#buffer.toString('utf8', 0, count);
    }
    return text.trimEnd();
  }

  /** As {@link tell}, for what must not die. */
  do(perl: string): string {
    const answer = this.tell(perl);
    if (answer.startsWith('died')) throw new Error(`${answer}: ${perl}`);
    return answer;
  }

  close(): void {
    this.#child.kill('SIGKILL');
    closeSync(this.#commands);
    closeSync(this.#answers);
  }
}
