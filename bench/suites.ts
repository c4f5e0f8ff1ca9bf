// The suites of `npm run bench`, in the order in which they run (git's makes the long history that later ones read), each with its goals: one line each.
import type { Goal } from './goals.ts';
import type { Suite } from './suite.ts';
import { goals as accountsGoals, accountsSuite } from './suites/accounts.ts';
import { goals as backgroundGoals, backgroundSuite } from './suites/background.ts';
import { goals as engineGoals, engineSuite } from './suites/engine.ts';
import { goals as gitGoals, gitSuite } from './suites/git.ts';
import { goals as growthGoals, growthSuite } from './suites/growth.ts';
import { goals as httpGoals, httpSuite } from './suites/http.ts';
import { goals as largeGoals, largeSuite } from './suites/large.ts';
import { goals as startupGoals, startupSuite } from './suites/startup.ts';

export const SUITES: readonly { suite: Suite; goals: readonly Goal[] }[] = [
  { suite: httpSuite, goals: httpGoals },
  { suite: engineSuite, goals: engineGoals },
  { suite: gitSuite, goals: gitGoals },
  { suite: growthSuite, goals: growthGoals },
  { suite: largeSuite, goals: largeGoals },
  { suite: startupSuite, goals: startupGoals },
  { suite: backgroundSuite, goals: backgroundGoals },
  { suite: accountsSuite, goals: accountsGoals },
];
