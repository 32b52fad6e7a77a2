/**
 * What the engine uses of WebAssembly: memory that threads share and that is page-aligned, which
 * O_DIRECT asks for. TypeScript has these types only together with a browser's.
 */
declare namespace WebAssembly {
  interface MemoryDescriptor {
    /** In pages of 64 KiB. */
    readonly initial: number;
    readonly maximum?: number;
    readonly shared?: boolean;
  }

  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
  }
}
