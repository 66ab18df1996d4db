-- Grain: one row per variant, other variant that somebody holds with it in the same cloud, and plan of the first that the
-- second covers: with the plan itself, else with another.
with pairs as (
  select distinct a.variant, b.variant as by_variant
  from {{ ref('int_basket_licenses') }} as a
  join {{ ref('int_basket_licenses') }} as b on b.basket = a.basket and b.variant <> a.variant and b.cloud = a.cloud
),

covered as (
  select p.variant, p.by_variant, n.plan_key, n.plan_key as by_plan, 'same_plan' as rule, 1 as priority
  from pairs as p
  join {{ ref('int_variant_plans') }} as n on n.variant = p.variant
  join {{ ref('int_variant_plans') }} as h on h.variant = p.by_variant and h.plan_key = n.plan_key and h.is_given
  union all
  select p.variant, p.by_variant, n.plan_key, h.plan_key, c.rule, 2
  from pairs as p
  join {{ ref('int_variant_plans') }} as n on n.variant = p.variant
  join {{ ref('int_plan_covers') }} as c on c.needed_plan = n.plan_key
  join {{ ref('int_variant_plans') }} as h on h.variant = p.by_variant and h.plan_key = c.held_plan and h.is_given
),

ranked as (
  select c.*, row_number() over (partition by variant, by_variant, plan_key order by priority, by_plan) as choice
  from covered as c
)

select variant, by_variant, plan_key, by_plan, rule
from ranked
where choice = 1
