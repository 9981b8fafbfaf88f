/** What TypeScript's DOM library lacks, since only workers have it. */

interface FileSystemSyncAccessHandle {
  read(buffer: AllowSharedBufferSource, options?: { at: number }): number;
  write(buffer: AllowSharedBufferSource, options?: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

interface FileSystemFileHandle {
  createSyncAccessHandle(): Promise<FileSystemSyncAccessHandle>;
}
