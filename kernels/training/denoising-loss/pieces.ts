/** Entries of an image that one workgroup sums up. */
export const PIECE = 4096;

/** Pieces of one image; never depends on the batch. */
export const lossPieces = ({ elements }: { readonly elements: number }) => Math.ceil(elements / PIECE);
