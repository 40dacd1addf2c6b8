/** Where the engine's few messages to the operator go; a pino logger is one. */
export interface EngineLog {
  warn(message: string): void
  error(message: string): void
}
