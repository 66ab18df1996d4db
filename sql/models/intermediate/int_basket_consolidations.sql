-- Grain: one row per basket that one licence covers some of, and costs less than these on the day of the tenant's snapshot: the
-- licence that saves most. Licences that are redundant anyhow are no part; every price is known, all in one currency.
with parts as (
  select l.basket, l.tenant_id, l.variant, l.sku_id, l.cloud, l.plans, p.unit_cents, p.currency, p.is_estimate
  from {{ ref('int_basket_licenses') }} as l
  join {{ ref('int_unit_prices') }} as p on p.tenant_id = l.tenant_id and p.sku_id = l.sku_id
  left join {{ ref('int_basket_removals') }} as r on r.basket = l.basket and r.variant = l.variant
  left join {{ ref('int_variant_left_out') }} as o on o.variant = l.variant
  where r.basket is null and o.variant is null and l.plans > 0
),

variants as (
  select distinct tenant_id, variant, sku_id, cloud, plans, currency from parts
),

suites as (
  select p.tenant_id, p.sku_id, c.cloud, p.unit_cents, p.currency, p.is_estimate
  from {{ ref('int_unit_prices') }} as p
  join {{ ref('int_sku_classes') }} as c on c.tenant_id = p.tenant_id and c.sku_id = p.sku_id
  left join {{ ref('int_skus') }} as k on k.tenant_id = p.tenant_id and k.sku_id = p.sku_id
  where c.assignment_class = 'user'
    and p.unit_cents > 0
    and (k.sku_id is null or (k.is_managed and k.license_class = 'paid' and k.capability_status = 'Enabled'))
),

own_plans as (
  select distinct s.tenant_id, s.sku_id, p.plan_key
  from suites as s
  join {{ ref('int_sku_plans') }} as p on p.tenant_id = s.tenant_id and p.sku_id = s.sku_id
  where p.is_provisioned
),

given as (
  select tenant_id, sku_id, plan_key from own_plans
  union
  select o.tenant_id, o.sku_id, c.needed_plan
  from own_plans as o
  join {{ ref('int_plan_covers') }} as c on c.held_plan = o.plan_key
),

covering as (
  select v.tenant_id, v.variant, s.sku_id
  from variants as v
  join suites as s on s.tenant_id = v.tenant_id and s.cloud = v.cloud and s.currency = v.currency and s.sku_id <> v.sku_id
  join given as g on g.tenant_id = s.tenant_id and g.sku_id = s.sku_id
  join {{ ref('int_variant_plans') }} as n on n.variant = v.variant and n.plan_key = g.plan_key
  group by v.tenant_id, v.variant, v.plans, s.sku_id
  having count(*) = v.plans
),

offers as (
  select
    p.basket,
    p.tenant_id,
    c.sku_id as suite_sku_id,
    p.currency,
    cast(count(*) as integer) as parts,
    cast(sum(p.plans) as integer) as plans,
    array_join(array_agg(p.sku_id order by p.sku_id), ',') as part_sku_ids,
    cast(sum(p.unit_cents) as bigint) as part_cents,
    bool_or(p.is_estimate) as is_estimate
  from parts as p
  join covering as c on c.variant = p.variant
  group by 1, 2, 3, 4
),

ranked as (
  select
    o.*,
    s.unit_cents as suite_cents,
    o.is_estimate or s.is_estimate as any_estimate,
    row_number() over (partition by o.basket order by o.part_cents - s.unit_cents desc, o.parts desc, o.suite_sku_id, o.currency) as choice
  from offers as o
  join suites as s on s.tenant_id = o.tenant_id and s.sku_id = o.suite_sku_id
  left join {{ ref('int_basket_licenses') }} as h on h.basket = o.basket and h.sku_id = o.suite_sku_id
  where s.unit_cents < o.part_cents and h.basket is null
)

select basket, tenant_id, suite_sku_id, currency, parts, plans, part_sku_ids, part_cents, suite_cents, any_estimate as is_estimate
from ranked
where choice = 1
