import { status } from "../engine/client.js";
import type { Task } from "./job.js";

interface GoProps {
  readonly of: Pick<Task<never>, "busy" | "trouble" | "stop">;
  readonly children: string;
  /** Not what the visitor came for. */
  readonly second?: boolean;
  onStart(): void;
}

/** The button that starts a job, or stops it; and what went wrong. */
export function Go({ of, children, second, onStart }: GoProps) {
  const ready = status.value.phase === "ready";
  return (
    <>
      {of.busy.value ? (
        <button type="button" class={second ? "plain" : "main small"} onClick={() => of.stop()}>
          Stop
        </button>
      ) : (
        <button type="button" class={second ? "plain" : "main small"} disabled={!ready} onClick={onStart}>
          {children}
        </button>
      )}
      {of.trouble.value && (
        <p class="trouble" role="alert">
          {of.trouble.value}
        </p>
      )}
    </>
  );
}
