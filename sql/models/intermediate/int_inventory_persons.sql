-- Grain: one row per tenant and person whom an inventory names: the user that is, if exactly one is.
-- Rules of the greatest confidence that know anybody decide. Where they know two users, the person is ambiguous and is neither.
with persons as (
  select distinct
    i.tenant_id,
    i.person_key,
    i.user_object_id,
    i.user_address,
    i.user_mail,
    i.domain_account,
    i.bare_account,
    i.employee_id
  from {{ ref('stg_inventory_installations') }} as i
  join {{ ref('int_hybrid_tenants') }} as t on t.tenant_id = i.tenant_id and t.inventory_date = i.snapshot_date
),

names as (
  select tenant_id, person_key, 'object_id' as rule, user_object_id as name from persons
  union
  select tenant_id, person_key, 'user_principal_name', user_address from persons
  union
  select tenant_id, person_key, 'user_principal_name', user_mail from persons
  union
  select tenant_id, person_key, 'mail', user_address from persons
  union
  select tenant_id, person_key, 'mail', user_mail from persons
  union
  select tenant_id, person_key, 'proxy_address', user_address from persons
  union
  select tenant_id, person_key, 'proxy_address', user_mail from persons
  union
  select tenant_id, person_key, 'other_mail', user_address from persons
  union
  select tenant_id, person_key, 'other_mail', user_mail from persons
  union
  select tenant_id, person_key, 'employee_id', employee_id from persons
  union
  select tenant_id, person_key, 'dns_account', domain_account from persons
  union
  select tenant_id, person_key, 'netbios_account', domain_account from persons
  union
  select tenant_id, person_key, 'bare_account', bare_account from persons
),

known as (
  select
    n.tenant_id,
    n.person_key,
    u.user_id,
    r.rule,
    r.position,
    r.confidence,
    r.level,
    max(r.confidence) over (partition by n.tenant_id, n.person_key) as best
  from names as n
  join {{ ref('identity_rules') }} as r on r.rule = n.rule and r.is_enabled
  join {{ ref('int_user_identities') }} as u on u.tenant_id = n.tenant_id and u.rule = n.rule and u.name = n.name
),

decided as (
  select
    tenant_id,
    person_key,
    count(distinct user_id) as users,
    min(user_id) as user_id,
    min_by(rule, position) as rule,
    max(confidence) as confidence,
    min_by(level, position) as level
  from known
  where confidence = best
  group by 1, 2
)

select
  p.tenant_id,
  p.person_key,
  case
    when d.users = 1 then 'matched'
    when d.users > 1 then 'ambiguous'
    when p.person_key = '||||' then 'unnamed'
    else 'unknown'
  end as outcome,
  case when d.users = 1 then d.user_id end as user_id,
  case when d.users = 1 then d.rule end as rule,
  case when d.users = 1 then d.confidence end as confidence,
  case when d.users = 1 then d.level end as level
from (select distinct tenant_id, person_key from persons) as p
left join decided as d on d.tenant_id = p.tenant_id and d.person_key = p.person_key
