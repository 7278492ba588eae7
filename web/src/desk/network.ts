import { signal } from "@preact/signals";

/** A file of the visitor's that the desk draws with; undefined: the page's own network. */
export const network = signal<File | undefined>(undefined);
