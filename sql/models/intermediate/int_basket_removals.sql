-- Grain: one row per basket and licence that can be taken away together with the basket's other such licences.
-- What stays covers all the basket covers. Of all such sets, the one that saves the most known money; then the one with most
-- licences of unknown price, fewest licences, most of them direct, and the lowest ids. Of more than eight licences that could
-- stand in for one another, eight are weighed and the others stay.
with core_plans as (
  select c.basket, c.variant, c.place, v.plan_key, v.by_variant
  from {{ ref('int_overlap_core') }} as c
  join {{ ref('int_basket_licenses') }} as o on o.basket = c.basket
  join {{ ref('int_variant_coverage') }} as v on v.variant = c.variant and v.by_variant = o.variant
),

-- By whom a plan of the core is covered: for good, or only by others of the core.
covers as (
  select p.basket, p.place, p.plan_key, c.place as by_place, d.variant is null as is_kept
  from core_plans as p
  left join {{ ref('int_overlap_core') }} as c on c.basket = p.basket and c.variant = p.by_variant
  left join {{ ref('int_overlap_candidates') }} as d on d.basket = p.basket and d.variant = p.by_variant
),

open_plans as (
  select basket, place, plan_key
  from covers
  group by 1, 2, 3
  having not bool_or(is_kept)
),

sizes as (
  select basket, count(*) as places
  from {{ ref('int_overlap_core') }}
  group by 1
),

members as (
  select s.basket, r.removal_set, r.place
  from sizes as s
  join {{ ref('int_removal_sets') }} as r on r.places <= s.places
),

set_plans as (
  select m.basket, m.removal_set, m.place, o.plan_key
  from members as m
  join open_plans as o on o.basket = m.basket and o.place = m.place
),

covered as (
  select distinct s.basket, s.removal_set, s.place, s.plan_key
  from set_plans as s
  join covers as c on c.basket = s.basket and c.place = s.place and c.plan_key = s.plan_key and c.by_place is not null
  left join {{ ref('int_removal_sets') }} as r on r.removal_set = s.removal_set and r.place = c.by_place
  where r.removal_set is null
),

broken as (
  select distinct s.basket, s.removal_set
  from set_plans as s
  left join covered as c
    on c.basket = s.basket and c.removal_set = s.removal_set and c.place = s.place and c.plan_key = s.plan_key
  where c.basket is null
),

scored as (
  select
    m.basket,
    m.removal_set,
    sum(coalesce(c.unit_cents, 0)) as cents,
    count_if(coalesce(c.unit_cents, 0) = 0) as unpriced,
    count(*) as licenses,
    count_if(c.is_direct) as direct,
    array_join(array_agg(c.sku_id order by c.sku_id), ',') as sku_ids
  from members as m
  join {{ ref('int_overlap_core') }} as c on c.basket = m.basket and c.place = m.place
  left join broken as b on b.basket = m.basket and b.removal_set = m.removal_set
  where b.basket is null
  group by 1, 2
),

ranked as (
  select
    basket,
    removal_set,
    row_number() over (partition by basket order by cents desc, unpriced desc, licenses, direct desc, sku_ids) as choice
  from scored
)

select c.basket, c.variant
from {{ ref('int_overlap_candidates') }} as c
left join {{ ref('int_overlap_core') }} as o on o.basket = c.basket and o.variant = c.variant
where o.basket is null
union all
select o.basket, o.variant
from ranked as r
join {{ ref('int_removal_sets') }} as s on s.removal_set = r.removal_set
join {{ ref('int_overlap_core') }} as o on o.basket = r.basket and o.place = s.place
where r.choice = 1
