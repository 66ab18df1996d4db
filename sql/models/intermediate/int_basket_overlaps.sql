-- Grain: one row per basket and redundant licence, with the licences that stay and cover it.
with kept as (
  select l.basket, l.variant, l.sku_id
  from {{ ref('int_basket_licenses') }} as l
  left join {{ ref('int_basket_removals') }} as r on r.basket = l.basket and r.variant = l.variant
  where r.basket is null
),

covers as (
  select r.basket, r.variant, v.plan_key, v.by_plan, v.rule, k.sku_id, k.variant as by_variant
  from {{ ref('int_basket_removals') }} as r
  join kept as k on k.basket = r.basket
  join {{ ref('int_variant_coverage') }} as v on v.variant = r.variant and v.by_variant = k.variant
),

-- The licence that covers most stands for all that it covers, so that as few as can be told so are named.
breadth as (
  select basket, variant, by_variant, count(*) as plans
  from covers
  group by 1, 2, 3
),

ranked as (
  select
    c.*,
    row_number() over (partition by c.basket, c.variant, c.plan_key order by b.plans desc, c.sku_id) as choice
  from covers as c
  join breadth as b on b.basket = c.basket and b.variant = c.variant and b.by_variant = c.by_variant
),

evidence as (
  select
    r.basket,
    r.variant,
    cast(count(*) as integer) as plans,
    cast(count_if(r.rule = 'same_plan') as integer) as same_plans,
    array_join(array_agg(distinct r.sku_id order by r.sku_id), ',') as covering_sku_ids,
    array_join(array_agg(case when r.rule <> 'same_plan' then upper(r.plan_key) || ' by ' || upper(r.by_plan) end order by r.plan_key), '; ') as higher_plans
  from ranked as r
  where r.choice = 1
  group by 1, 2
),

names as (
  select distinct r.basket, r.variant, r.sku_id
  from ranked as r
  where r.choice = 1
),

covered_by as (
  select
    n.basket,
    n.variant,
    array_join(array_agg(k.product_name order by k.product_name, n.sku_id), ', ') as covered_by,
    array_join(array_agg(case when k.capability_status = 'Warning' then k.product_name end order by k.product_name, n.sku_id), ', ') as in_grace
  from names as n
  join {{ ref('int_basket_licenses') }} as l on l.basket = n.basket and l.sku_id = n.sku_id
  join {{ ref('int_skus') }} as k on k.tenant_id = l.tenant_id and k.sku_id = l.sku_id
  group by 1, 2
)

select
  e.basket,
  l.tenant_id,
  l.sku_id,
  e.plans,
  e.covering_sku_ids,
  c.covered_by,
  case
    when x.rule is not null then x.rule
    when e.same_plans = e.plans then 'same_plans'
    else 'higher_plans'
  end as rule,
  cast(e.same_plans as varchar) || ' of ' || cast(e.plans as varchar) || ' plans are there themselves'
    || case when e.higher_plans <> '' then '; ' || e.higher_plans else '' end
    || case when x.plans is not null then '; left out: ' || x.plans else '' end as covered_plans,
  case
    when x.plans is not null and coalesce(c.in_grace, '') <> '' then x.plans || ' are left out; ' || c.in_grace || ' is in its grace period'
    when x.plans is not null then x.plans || ' are left out'
    when coalesce(c.in_grace, '') <> '' then c.in_grace || ' is in its grace period'
  end as needs_confirmation
from evidence as e
join {{ ref('int_basket_licenses') }} as l on l.basket = e.basket and l.variant = e.variant
join covered_by as c on c.basket = e.basket and c.variant = e.variant
left join {{ ref('int_variant_left_out') }} as x on x.variant = e.variant
