-- Grain: one row per user of the current snapshot whom the HR file of the same run knows.
-- A row joins a user by sign-in name, by mail, or by employee number. Where several join one user, the one that says the most for
-- keeping licences counts: active before leave before inactive.
with tenants as (
  select u.tenant_id, h.logical_date
  from {{ ref('int_coverage') }} as u
  join {{ ref('int_coverage') }} as h on h.tenant_id = u.tenant_id and h.run_id = u.run_id
  where u.table_name = 'graph_users' and h.table_name = 'hr_employees' and h.is_measured
),

employees as (
  select e.*
  from {{ ref('stg_hr_employees') }} as e
  join tenants as t on t.tenant_id = e.tenant_id and t.logical_date = e.snapshot_date
),

joined as (
  select u.tenant_id, u.user_id, u.as_of_date, 1 as match_order, e.line, e.status, e.department, e.cost_centre, e.manager_key, e.end_date
  from {{ ref('int_users') }} as u
  join employees as e on e.tenant_id = u.tenant_id and e.upn_key = u.upn_key
  union all
  select u.tenant_id, u.user_id, u.as_of_date, 2, e.line, e.status, e.department, e.cost_centre, e.manager_key, e.end_date
  from {{ ref('int_users') }} as u
  join employees as e on e.tenant_id = u.tenant_id and e.mail_key = lower(u.mail)
  union all
  select u.tenant_id, u.user_id, u.as_of_date, 3, e.line, e.status, e.department, e.cost_centre, e.manager_key, e.end_date
  from {{ ref('int_users') }} as u
  join employees as e on e.tenant_id = u.tenant_id and e.employee_key = lower(trim(u.employee_id))
),

-- Who has had the last day is inactive, whatever the status says.
judged as (
  select
    j.*,
    case when status = 'inactive' or end_date < as_of_date then 'inactive' else status end as hr_status
  from joined as j
),

ordered as (
  select
    j.*,
    row_number() over (
      partition by tenant_id, user_id
      order by case hr_status when 'active' then 1 when 'leave' then 2 else 3 end, match_order, line
    ) as choice
  from judged as j
)

select
  tenant_id,
  user_id,
  hr_status,
  case when hr_status = 'inactive' then end_date end as ended_date,
  nullif(trim(department), '') as department,
  nullif(trim(cost_centre), '') as cost_centre,
  manager_key
from ordered
where choice = 1
