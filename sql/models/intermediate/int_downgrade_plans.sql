-- Grain: one row per variant and rule that offers a smaller SKU for it on the day of the tenant's snapshot: which plans the user
-- would lose, told apart by whether the rule's checks measure them.
with tenants as (
  select tenant_id, coalesce(logical_date, newest_run_date) as as_of_date
  from {{ ref('int_coverage') }}
  where table_name = 'graph_subscribed_skus'
),

offers as (
  select v.variant, v.tenant_id, v.sku_id, r.rule, lower(r.to_sku_id) as to_sku_id, r.unused, r.mailbox_limit_bytes, r.onedrive_limit_bytes
  from {{ ref('int_license_variants') }} as v
  join tenants as t on t.tenant_id = v.tenant_id
  join {{ ref('downgrade_rules') }} as r
    on lower(r.from_sku_id) = v.sku_id
    and t.as_of_date >= coalesce(r.effective_date, date '1970-01-01')
    and t.as_of_date < coalesce(r.ending_date, date '2200-01-01')
  join {{ ref('int_sku_classes') }} as c on c.tenant_id = v.tenant_id and c.sku_id = lower(r.to_sku_id)
  left join {{ ref('int_skus') }} as k on k.tenant_id = v.tenant_id and k.sku_id = lower(r.to_sku_id)
  where c.assignment_class = 'user' and c.cloud = v.cloud and coalesce(k.is_managed, true)
),

given as (
  select o.variant, o.to_sku_id, p.plan_key
  from offers as o
  join {{ ref('int_sku_plans') }} as p on p.tenant_id = o.tenant_id and p.sku_id = o.to_sku_id
  where p.is_provisioned
),

kept as (
  select variant, to_sku_id, plan_key from given
  union
  select g.variant, g.to_sku_id, c.needed_plan
  from given as g
  join {{ ref('int_plan_covers') }} as c on c.held_plan = g.plan_key
),

lost as (
  select
    o.variant,
    o.rule,
    o.to_sku_id,
    n.service_plan_name,
    m.not_observable,
    coalesce(
      m.measure = o.unused
      or (m.measure = 'mailbox' and o.mailbox_limit_bytes is not null)
      or (m.measure = 'onedrive' and o.onedrive_limit_bytes is not null),
      false
    ) as is_measured
  from offers as o
  join {{ ref('int_variant_plans') }} as n on n.variant = o.variant
  left join kept as k on k.variant = o.variant and k.to_sku_id = o.to_sku_id and k.plan_key = n.plan_key
  left join {{ ref('plan_measures') }} as m on lower(m.service_plan_name) = n.plan_key
  where k.plan_key is null
),

listed as (
  select
    variant,
    rule,
    to_sku_id,
    cast(count(*) as integer) as lost_plans,
    array_join(array_agg(case when not is_measured then service_plan_name end order by service_plan_name), ', ') as unmeasured_plans,
    array_join(array_agg(distinct case when is_measured then not_observable end order by case when is_measured then not_observable end), '; ') as not_observable
  from lost
  group by 1, 2, 3
)

select
  o.variant,
  o.tenant_id,
  o.sku_id,
  o.rule,
  o.to_sku_id,
  o.unused,
  o.mailbox_limit_bytes,
  o.onedrive_limit_bytes,
  coalesce(l.lost_plans, 0) as lost_plans,
  nullif(l.unmeasured_plans, '') as unmeasured_plans,
  nullif(l.not_observable, '') as not_observable
from offers as o
left join listed as l on l.variant = o.variant and l.rule = o.rule and l.to_sku_id = o.to_sku_id
