/* The bundle that Airflow's UI imports: it registers the page and the tab under the names that the plugin
 * declares. Airflow publishes React and its router on globalThis, so there is nothing to build.
 *
 * All modules are imported here, so that the browser requests them all at once.
 */
import "./charts.js";
import "./csv.js";
import "./export.js";
import "./filters.js";
import "./kinds.js";
import "./parts.js";
import "./runs.js";
import "./state.js";
import "./story.js";
import "./strip.js";
import "./table.js";
import "./troubles.js";
import "./usage.js";
import "./words.js";
import { askEarly } from "./answers.js";
import { ExportsPage } from "./page.js";
import { TaskTab } from "./task.js";

if (document.querySelector("link[data-aep]") === null) {
  const sheet = document.createElement("link");
  sheet.rel = "stylesheet";
  sheet.href = new URL("./aep.css", import.meta.url).href;
  sheet.dataset.aep = "";
  document.head.append(sheet);
}

if (location.pathname.endsWith("/plugin/aep-exports") && !new URLSearchParams(location.search).has("export")) {
  askEarly("aep/api/exports");
}

globalThis["AEP exports"] = ExportsPage;
globalThis["AEP run"] = TaskTab;
