import { requireArtifacts } from "./artifacts.ts";

export default requireArtifacts;
