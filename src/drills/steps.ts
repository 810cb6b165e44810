/** The steps of a run, in order. */
export const DRILL_STEPS = ['heal', 'base', 'load', 'rest', 'read', 'judge'] as const;
export type DrillStep = (typeof DRILL_STEPS)[number];
export type OnStep = (step: DrillStep, state: 'running' | 'done' | 'failed', detail?: string) => void;
