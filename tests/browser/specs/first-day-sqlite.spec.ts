import { firstDay } from "../flows/first-day.ts";

firstDay();
