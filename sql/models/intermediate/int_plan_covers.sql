-- Grain: one row per service plan and other plan that gives all it gives; plans by their names in lower case.
-- A higher plan of a ladder covers a lower one. A plan covers what it implies, and what that covers; so does any plan above it.
with tiers as (
  select ladder, lower(service_plan_name) as plan_key, rank
  from {{ ref('plan_tiers') }}
),

higher as (
  select low.plan_key as needed_plan, high.plan_key as held_plan, low.ladder as rule
  from tiers as low
  join tiers as high on high.ladder = low.ladder and high.rank > low.rank
),

implied as (
  select lower(implied_plan_name) as needed_plan, lower(service_plan_name) as held_plan, rule
  from {{ ref('plan_implications') }}
),

below_implied as (
  select needed_plan, held_plan, rule from implied
  union
  select h.needed_plan, i.held_plan, i.rule
  from implied as i
  join higher as h on h.held_plan = i.needed_plan
),

together as (
  select needed_plan, held_plan, rule, 1 as priority from higher
  union
  select needed_plan, held_plan, rule, 2 from below_implied
  union
  select b.needed_plan, h.held_plan, b.rule, 3
  from below_implied as b
  join higher as h on h.needed_plan = b.held_plan
)

select needed_plan, held_plan, min_by(rule, priority) as rule
from together
group by 1, 2
