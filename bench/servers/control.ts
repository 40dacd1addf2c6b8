/** What a server says once it listens. */
export interface Listening {
  readonly port: number
}

/** CPU time, in microseconds: in the code of the process itself, and in the system calls that it makes. */
export interface Usage {
  readonly user: number
  readonly system: number
}

/**
 * The server's side of a measurement: tells its port, then, whenever it is asked, the CPU time that it has used since
 * it started, and ends when the channel does.
 */
export function report(port: number): void {
  process.on('message', () => process.send?.(process.cpuUsage() satisfies Usage))
  process.on('disconnect', () => process.exit(0))
  process.send?.({ port } satisfies Listening)
}
