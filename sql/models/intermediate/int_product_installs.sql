-- Grain: one row per tenant, device, product family and subject that has it: a user whom the inventory's name leads to, or
-- the device itself where no name of its rows leads to one.
with persons as (
  select
    i.*,
    p.user_id,
    p.outcome,
    p.rule,
    p.confidence,
    p.level,
    k.counts_devices
  from {{ ref('int_installations') }} as i
  join {{ ref('int_inventory_persons') }} as p on p.tenant_id = i.tenant_id and p.person_key = i.person_key
  left join {{ ref('install_kinds') }} as k on k.install_kind = i.install_kind
),

-- A device is shared for all who use it when a row of it says so.
devices as (
  select
    tenant_id,
    device_key,
    product_family,
    bool_and(coalesce(counts_devices, true)) as counts_devices,
    bool_or(user_id is not null) as has_user,
    bool_or(outcome = 'ambiguous') as has_ambiguous,
    min(device_name) as device_name,
    max(last_seen_date) as last_seen_date
  from persons
  group by 1, 2, 3
)

select
  p.tenant_id,
  p.device_key,
  p.product_family,
  case when d.has_user then 'user' else 'device' end as subject,
  case when d.has_user then p.user_id else p.device_key end as subject_id,
  d.device_name,
  d.last_seen_date,
  d.counts_devices,
  d.has_ambiguous,
  min_by(p.rule, p.confidence) as identity_rule,
  min(p.confidence) as identity_confidence,
  min_by(p.level, p.confidence) as identity_level,
  min(p.user_name) as user_name,
  min(p.product_name) as product_name,
  min(p.install_date) as install_date,
  max(p.last_used_date) as last_used_date
from persons as p
join devices as d on d.tenant_id = p.tenant_id and d.device_key = p.device_key and d.product_family = p.product_family
where p.user_id is not null or not d.has_user
group by 1, 2, 3, 4, 5, 6, 7, 8, 9
