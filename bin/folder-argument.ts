import { InvalidArgumentError } from 'commander'

/** Reads a folder from a command line. An empty text, as of a shell's variable that is not set, would be the current folder. @throws InvalidArgumentError */
export function readFolder(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('Expected a folder.')
  return text
}
