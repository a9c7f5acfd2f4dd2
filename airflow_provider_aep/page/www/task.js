/* The tab on a task instance: the run and the verdict that this task waited for. */

import { useAnswer, useNow } from "./answers.js";
import { Empty, LinkIn, LinkOut, Name, Outcome, Waiting } from "./parts.js";
import { RunsTable } from "./runs.js";
import { AnswerTrouble } from "./troubles.js";
import { plainName, sentence } from "./words.js";

const { createElement: h } = globalThis.React;

export function TaskTab({ dagId, runId, taskId, mapIndex }) {
  const asked = new URLSearchParams({ dag_id: dagId, run_id: runId, task_id: taskId, map_index: mapIndex ?? "-1" });
  const { data, error, receivedAt } = useAnswer(`aep/api/task?${asked}`);
  const now = useNow();
  return h(
    "div",
    { className: "aep" },
    h(AnswerTrouble, { error, receivedAt, now }),
    data === null && error === null && h(Waiting, null, "Asking what this task waited for …"),
    data?.state === "nothing" && h(Empty, { title: "No dataflow run" }, plainName(data.told)),
    data !== null && data.state !== "nothing" && h(Waited, { data, now }),
  );
}

function Waited({ data, now }) {
  const { verdict, runs, links } = data;
  return h(
    "div",
    null,
    h(
      "header",
      { className: "aep-head" },
      h("h1", null, h(Name, null, data.dataflow_name ?? data.dataflow_id ?? "Dataflow")),
      verdict && h(Outcome, { outcome: verdict.outcome }),
    ),
    h("p", null, sentence(data.told)),
    verdict?.reason && verdict.reason !== data.told && h("p", null, h("bdi", null, sentence(verdict.reason))),
    h(
      "p",
      { className: "aep-links" },
      data.page && h(LinkIn, { to: data.page }, "Open this export"),
      links?.platform && h(LinkOut, { to: links.platform }, "Platform UI"),
    ),
    runs?.length > 0 && h("section", { className: "aep-section" }, h("h2", null, "Runs"), h(RunsTable, { runs, now })),
  );
}
