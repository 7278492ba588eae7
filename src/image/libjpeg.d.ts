declare module "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs" {
  interface Decoder {
    getEncodedBuffer(length: number): Uint8Array;
    decode(): void;
    getDecodedBuffer(): Uint8Array;
    getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number };
    delete(): void;
  }
  interface Libjpeg {
    JPEGDecoder: new () => Decoder;
    HEAPU8: Uint8Array;
  }
  export default function libjpeg(options?: { print?: () => void; printErr?: () => void }): Promise<Libjpeg>;
}
