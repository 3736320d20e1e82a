/** One run of a whole process. */
export interface Sample {
  readonly milliseconds: number;
  /** The most memory that it had at any moment, in units of 2^20 bytes. */
  readonly megabytes: number;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; memory and time are the operating system's own account. */
export function measure(command: readonly string[]): Sample {
  const begun = performance.now();
  const { exitCode, stdout, stderr, resourceUsage } = Bun.spawnSync([...command], { stdin: 'ignore' });
  const milliseconds = performance.now() - begun;
  return {
    milliseconds,
    megabytes: (resourceUsage?.maxRSS ?? Number.NaN) / 2 ** 20,
    status: exitCode,
    stdout: stdout.toString(),
    stderr: stderr.toString(),
  };
}
