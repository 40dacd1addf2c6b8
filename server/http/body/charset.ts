/** Turns bytes into text. */
export type Decoder = (bytes: Uint8Array) => string

/**
 * Decodes text in an encoding (WHATWG Encoding, 4.2), of which what looks like a mark of its byte order is a part.
 *
 * @param label a name of the encoding, such as `utf-8`
 * @param fatal whether what is not in the encoding makes the decoder throw a TypeError; otherwise it becomes U+FFFD, as everywhere on the web
 * @throws RangeError when there is no encoding of this name
 */
export function decoderFor(label: string, { fatal = false } = {}): Decoder {
  const decoder = new TextDecoder(label, { ignoreBOM: true, fatal })
  // In two calls, because in one an older Node.js takes windows-1252 for Latin-1.
  return (bytes) => decoder.decode(bytes, { stream: true }) + decoder.decode()
}

/** Whether there is an encoding of this name. */
export function isCharset(label: string): boolean {
  try {
    void new TextDecoder(label)
    return true
  } catch {
    return false
  }
}
