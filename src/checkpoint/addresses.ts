/** What the file of a network may be called. */
export const NETWORK = /\.(safetensors|safetensors\.index\.json|pkl|pt|pth)$/;

export const isHubAddress = (text: string): boolean => /^hf:\/\//i.test(text);

/** Whether a text that is no file may be "owner/repo" of a hub. */
export const isRepository = (text: string): boolean =>
  /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(text) && !NETWORK.test(text);
