import { runGitWorker } from "./worker.ts";

runGitWorker();
