import { type ComponentChild, render } from "preact";

/** Puts a part of the page in the place of what stands there while nothing runs. */
export function mount(id: string, what: ComponentChild): void {
  const place = document.getElementById(id)!;
  place.replaceChildren();
  render(what, place);
}
