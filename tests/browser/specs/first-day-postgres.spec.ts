import { firstDay } from "../flows/first-day.ts";
import { test } from "../harness/app.ts";

test.use({ stackOptions: { database: "postgres" } });

firstDay();
