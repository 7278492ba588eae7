/** The command line's kernel on pictures of this size. */
export const KERNEL_SIZE = 21;

/** The box that the command line hides where no mask is given: the middle half of each side. */
export const MIDDLE = "8,24,8,24";
