/** What a server says once it listens. */
export interface Listening {
  readonly port: number
}

/** CPU time that a server has used since it started, in microseconds. */
export interface Usage {
  readonly cpu: number
}

/**
 * The server's side of a measurement: tells its port, then its CPU time whenever it is asked, and ends when the channel does.
 */
export function report(port: number): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpu: user + system } satisfies Usage)
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.({ port } satisfies Listening)
}
