/** What the checkpoint worker is asked to do. */
export interface CheckpointRequest {
  /**
   * `passive` moves what it can while others write; `restart` moves the rest and lets the log begin anew at its front;
   * `truncate` does the same and gives the log's space back to the disk.
   */
  readonly mode: 'passive' | 'restart' | 'truncate'
}

/** What came of it. */
export type CheckpointReply =
  /** `complete` is false when pages are left in the log, because somebody still writes them or another process still reads older ones. */
  { readonly complete: boolean } | { readonly error: { readonly code: string; readonly message: string } }
