import { open } from 'node:fs/promises'

/** Makes a folder's entries durable, so that a file created in it is still found there after a power cut (fsync(2)). */
export async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open a folder for this, and NTFS keeps its entries in a journal.
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
